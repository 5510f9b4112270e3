"""The training engine, the tasks that it trains, and the folders of its runs."""
