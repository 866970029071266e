"""From scores and decisions to a smaller set: policies, what they would do, exports that can be made again."""
