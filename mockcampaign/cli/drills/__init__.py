"""The commands of `mockcampaign drill`."""
