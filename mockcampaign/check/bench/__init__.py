"""Where one rule is examined: a sender of its own, events that only it sends, and what the consumer stored of them."""
