"""`python -m andon`, for those who start roles as child processes."""

from andon.cli import main

if __name__ == "__main__":
    main(prog_name="andon")
