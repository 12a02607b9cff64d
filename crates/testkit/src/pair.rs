//! The pair of session machines on a fake clock.
