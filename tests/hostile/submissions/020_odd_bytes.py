# threat: A20
# verdict: passed
import os


def add(a, b):
    odd = b"\0\xff\xfe\xc3(\x1b[2J\x1b]0;x\x07" + "\u202e\u200b\u2028".encode() + b"\r" * 1000 + b"</script><!--"
    os.write(1, odd)
    os.write(2, odd)
    return a + b
