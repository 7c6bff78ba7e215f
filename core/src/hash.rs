//! FNV-1a: a hash to recognise a text without keeping it, and to notice accidents. It is no protection against forgery.

/// A hash of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hash(u64);

impl Hash {
    /// The hash of no bytes.
    pub(crate) const EMPTY: Self = Self(0xcbf2_9ce4_8422_2325);

    /// The hash with further bytes.
    #[inline(never)]
    pub(crate) fn with(self, bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)))
    }

    /// All 64 bits.
    pub(crate) fn get(self) -> u64 {
        self.0
    }

    /// The hash folded to 32 bits.
    #[allow(clippy::cast_possible_truncation, reason = "the upper half is folded into the lower one")]
    pub(crate) fn folded(self) -> u32 {
        (self.0 ^ (self.0 >> 32)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the test vectors of the FNV reference code.
    #[test]
    fn hashes_are_those_of_the_reference() {
        for (text, hash) in
            [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            assert_eq!(Hash::EMPTY.with(text.as_bytes()).get(), hash, "{text}");
        }
        assert_eq!(Hash::EMPTY.with(b"a").with(b"b"), Hash::EMPTY.with(b"ab"));
        assert_eq!(Hash::EMPTY.with(b"a").folded(), 0x2962_30c0);
    }
}
