"""Inspection: what an artefact of any format holds and says about itself."""
