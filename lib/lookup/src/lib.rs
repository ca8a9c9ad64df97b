//! Questions that others answer.
