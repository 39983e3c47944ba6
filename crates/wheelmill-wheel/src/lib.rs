//! Opens, describes and judges a wheel: zip, metadata, tags, ELF and device code; no async, no network.
