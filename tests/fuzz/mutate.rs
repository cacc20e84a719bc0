//! Mutation without knowledge of what it reaches: of bytes, and of the texts and numbers of JSON.

/// What is put in the place of something else.
const WORDS: [&str; 24] = [
    "null",
    "{}",
    "[]",
    "-1",
    "0",
    "1",
    "1e400",
    "18446744073709551615",
    "9223372036854775808",
    "\"\"",
    "\"*\"",
    "\">\"",
    "\"a.b c\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"0001-01-01T00:00:00Z\"",
    "\"9999-12-31T23:59:59.999999999Z\"",
    "18446744073709549568s2047s999ms",
    "{\"a\":{\"a\":{\"a\":[[[[",
    "\u{202e}",
    "east",
    "true",
    "version\":2,\"",
    "\r\n",
];

/// Makes inputs of others. The same seed makes the same inputs.
pub(crate) struct Mutator {
    state: u64,
}

impl Mutator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A new input made of these.
    pub(crate) fn mutate(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(4) {
            let other = &seeds[self.below(seeds.len())];
            self.once(&mut input, other);
        }
        input
    }

    fn once(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(input.len() + 1);
        let end = (at + self.below(32)).min(input.len());
        match self.below(9) {
            0 => input.truncate(at),
            1 => drop(input.drain(at..end)),
            2 => {
                let span = input[at..end].to_vec();
                let times = self.below(40);
                input.splice(at..at, span.repeat(times));
            }
            3 if at < input.len() => input[at] ^= 1 << self.below(8),
            4 if at < input.len() => input[at] = u8::try_from(self.below(256)).unwrap_or_default(),
            5 => {
                let from = self.below(other.len() + 1);
                let to = (from + self.below(200)).min(other.len());
                input.splice(at..end, other[from..to].iter().copied());
            }
            _ => {
                let word = WORDS[self.below(WORDS.len())];
                let (from, to) = self.value(input, at);
                input.splice(from..to, word.bytes());
            }
        }
    }

    /// The bounds of the value that stands around or after a place: up to the next comma or bracket.
    fn value(&mut self, input: &[u8], at: usize) -> (usize, usize) {
        let ends = |byte: &u8| b",:{}[]\n".contains(byte);
        let from = input[at..].iter().position(ends).map_or(at, |gap| at + gap + 1).min(input.len());
        let to = input[from..].iter().position(ends).map_or(input.len(), |gap| from + gap);
        if self.below(4) == 0 { (from, from) } else { (from, to) }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap_or_default()
    }
}
