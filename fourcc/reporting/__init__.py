"""`fourcc report`: what is known of a model, gathered into one document and written as one HTML page."""
