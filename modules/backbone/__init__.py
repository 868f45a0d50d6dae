"""The frozen pretrained model: its files, its architecture, its tokenizer."""
