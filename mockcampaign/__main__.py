"""`python -m mockcampaign` is the `mockcampaign` command."""

from mockcampaign.cli import main

if __name__ == "__main__":
    main()
