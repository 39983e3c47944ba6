//! Fixtures and fakes shared by wheelmill's tests.
