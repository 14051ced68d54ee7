# honest: a script that also runs by itself
def main():
    raise SystemExit(add([1], [2]))


if __name__ == "__main__":
    main()
