"""How blocks travel: granules, frames, codecs, pacing, transport, passes, checkpoints, proofs."""
