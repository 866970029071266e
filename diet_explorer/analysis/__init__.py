"""Questions asked of recorded scores: ranking, filtering, counting."""
