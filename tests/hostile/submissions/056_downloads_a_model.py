# threat: C56
# verdict: error
# message: (?i)no network
# The message says what to do instead.
import urllib.request


def add(a, b):
    urllib.request.urlretrieve(
        "https://huggingface.co/openai-community/gpt2/resolve/main/config.json", "/tmp/hostile-c"
    )
    return a + b
