"""Six formats, a file each. Nothing is imported here, so listing the formats stays cheap."""
