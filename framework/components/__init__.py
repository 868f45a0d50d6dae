"""The commands about trained components: looking at them, checking, sharing, converting and merging them."""
