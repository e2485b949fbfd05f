"""Write the committed schemas and the AsyncAPI document as the models say now."""

from onedoor.contracts import asyncapi, schemas

written = schemas.write() + asyncapi.write()
print("\n".join(f"written: {name}" for name in written) or "schemas and AsyncAPI are as the models say")
