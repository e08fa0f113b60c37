"""`python -m worker` is `content-worker`."""

from worker.cli import main

if __name__ == "__main__":
    main()
