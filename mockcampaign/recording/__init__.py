"""Recording what a real Campaign, or a double of it, sends to a real consumer: a proxy that writes a journal."""
