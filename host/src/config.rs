//! What the operator configures: flags over environment over file.
