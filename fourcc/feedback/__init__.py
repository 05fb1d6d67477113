"""Error feedback: codes chosen one column after the other, each making up for the errors before it (GPTQ, LDLQ)."""
