"""Networks that others trained: files of other formats, turned into networks that compute the same."""
