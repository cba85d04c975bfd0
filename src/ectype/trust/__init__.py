"""What can be proved: keys, the Merkle tree, checkpoints and tiles; and who may do what."""
