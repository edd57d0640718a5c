"""The compliance check: rules that send what they need to a consumer, and what each of them found."""
