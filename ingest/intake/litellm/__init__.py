"""Records of LiteLLM's callback generic_api: what refuses them, what is read of them, and their door."""
