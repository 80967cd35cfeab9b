"""The paper, readable alone: tensors in, tensors out. No Hugging Face, no files, no clocks."""
