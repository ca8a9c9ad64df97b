//! Private roots, originals and transcripts for the tests.
