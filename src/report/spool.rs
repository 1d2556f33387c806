//! Spool: buffers a report while it is generated, in memory and above a certain size in a temporary file without a
//! name, and passes it on once it is complete.

use std::fs::File;
use std::io::{self, Seek, Write};

/// Maximum number of bytes in memory.
const IN_MEMORY: usize = 16 << 20;

/// Content written so far.
#[derive(Debug)]
pub(super) enum Spool {
    Memory { bytes: Vec<u8>, most: usize },
    File(File),
}

impl Default for Spool {
    fn default() -> Self {
        Self::Memory { bytes: Vec::new(), most: IN_MEMORY }
    }
}

impl Spool {
    /// Copies the content to `out`.
    pub(super) fn copy_to(self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Memory { bytes, .. } => out.write_all(&bytes),
            Self::File(mut file) => {
                file.rewind()?;
                io::copy(&mut file, out).map(drop)
            }
        }
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Memory { bytes: kept, most } => {
                kept.extend_from_slice(bytes);
                if kept.len() > *most {
                    match tempfile::tempfile() {
                        Ok(mut file) => {
                            file.write_all(kept)?;
                            *self = Self::File(file);
                        }
                        // In a container without a writable folder, memory must be enough.
                        Err(_) => *most = usize::MAX,
                    }
                }
                Ok(bytes.len())
            }
            Self::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_large_goes_through_a_file_and_comes_out_whole() {
        for most in [0, 5, 1 << 20] {
            let mut spool = Spool::Memory { bytes: Vec::new(), most };
            for part in ["one ", "two ", "three"] {
                spool.write_all(part.as_bytes()).expect("written");
            }
            assert_eq!(matches!(spool, Spool::File(_)), most < 10);
            let mut out = Vec::new();
            spool.copy_to(&mut out).expect("copied");
            assert_eq!(out, b"one two three");
        }
    }
}
