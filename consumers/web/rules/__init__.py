"""Rules as officers see and write them."""
