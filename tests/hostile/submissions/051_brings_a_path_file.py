# threat: B51
# verdict: rejected
# message: 'evil.pth' is of a kind
# form: built
import io
import zipfile


def build(honest, notebook):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("work.py", honest)
        archive.writestr("evil.pth", "import os")
    return "work.zip", packed.getvalue()
