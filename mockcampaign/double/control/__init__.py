"""The methods of `campaign` and `campaign_server`, grouped by what they act on, over one session and one home."""
