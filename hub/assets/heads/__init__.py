"""What files of weights say at their heads: tensors and metadata, read in bounds, without loading any weight."""
