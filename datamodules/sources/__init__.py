"""Where rows come from: files in a local folder or on the Hugging Face hub."""
