//! Sorting as Go's `sort.Sort` does it.
//!
//! That sort is not stable, and kubectl uses it where elements are often equal or cannot be ordered at all, so the
//! order of such elements can only be had from the very same steps: pattern-defeating quicksort with insertion sort
//! for short runs and heap sort when the pivots stay bad.

/// Runs up to this length are sorted by insertion.
const SHORT: usize = 12;
/// Runs from this length choose their pivot from nine elements instead of three.
const NINTHER: usize = 50;

/// Sorts positions: the element that stood at `sorted[i]` belongs at `i`. `less(a, b)` takes positions; it need not
/// be an order.
pub fn sorted(length: usize, less: impl FnMut(usize, usize) -> bool) -> Vec<usize> {
    let mut sorter = Sorter { order: (0..length).collect(), less };
    sorter.quick(0, length, usize::BITS - length.leading_zeros());
    sorter.order
}

/// What choosing a pivot has told of a run.
#[derive(PartialEq, Eq)]
enum Hint {
    Unknown,
    Increasing,
    Decreasing,
}

struct Sorter<F> {
    order: Vec<usize>,
    less: F,
}

impl<F: FnMut(usize, usize) -> bool> Sorter<F> {
    fn less(&mut self, a: usize, b: usize) -> bool {
        (self.less)(self.order[a], self.order[b])
    }

    fn quick(&mut self, mut start: usize, mut end: usize, mut limit: u32) {
        let (mut balanced, mut partitioned) = (true, true);
        loop {
            let length = end - start;
            if length <= SHORT {
                return self.insertion(start, end);
            }
            if limit == 0 {
                return self.heap(start, end);
            }
            if !balanced {
                self.break_patterns(start, end);
                limit -= 1;
            }
            let (mut pivot, mut hint) = self.pivot(start, end);
            if hint == Hint::Decreasing {
                self.order[start..end].reverse();
                pivot = (end - 1) - (pivot - start);
                hint = Hint::Increasing;
            }
            if balanced && partitioned && hint == Hint::Increasing && self.nearly_sorted(start, end) {
                return;
            }
            if start > 0 && !self.less(start - 1, pivot) {
                start = self.partition_equal(start, end, pivot);
                continue;
            }
            let (middle, already) = self.partition(start, end, pivot);
            partitioned = already;
            let (left, right) = (middle - start, end - middle);
            balanced = left.min(right) >= length / 8;
            if left < right {
                self.quick(start, middle, limit);
                start = middle + 1;
            } else {
                self.quick(middle + 1, end, limit);
                end = middle;
            }
        }
    }

    fn insertion(&mut self, start: usize, end: usize) {
        for from in start + 1..end.max(start + 1) {
            let mut at = from;
            while at > start && self.less(at, at - 1) {
                self.order.swap(at, at - 1);
                at -= 1;
            }
        }
    }

    fn heap(&mut self, start: usize, end: usize) {
        let length = end - start;
        for root in (0..=(length - 1) / 2).rev() {
            self.sift_down(root, length, start);
        }
        for last in (0..length).rev() {
            self.order.swap(start, start + last);
            self.sift_down(0, last, start);
        }
    }

    fn sift_down(&mut self, mut root: usize, length: usize, start: usize) {
        loop {
            let mut child = 2 * root + 1;
            if child >= length {
                return;
            }
            if child + 1 < length && self.less(start + child, start + child + 1) {
                child += 1;
            }
            if !self.less(start + root, start + child) {
                return;
            }
            self.order.swap(start + root, start + child);
            root = child;
        }
    }

    /// Puts what is not before the pivot behind it; tells the pivot's new place, and whether nothing had to move.
    fn partition(&mut self, start: usize, end: usize, pivot: usize) -> (usize, bool) {
        self.order.swap(start, pivot);
        let (mut low, mut high) = (start + 1, end - 1);
        let mut moved = false;
        loop {
            while low <= high && self.less(low, start) {
                low += 1;
            }
            while low <= high && !self.less(high, start) {
                high -= 1;
            }
            if low > high {
                self.order.swap(high, start);
                return (high, !moved);
            }
            self.order.swap(low, high);
            moved = true;
            low += 1;
            high -= 1;
        }
    }

    /// Puts what equals the pivot first; tells where the rest begins.
    fn partition_equal(&mut self, start: usize, end: usize, pivot: usize) -> usize {
        self.order.swap(start, pivot);
        let (mut low, mut high) = (start + 1, end - 1);
        loop {
            while low <= high && !self.less(start, low) {
                low += 1;
            }
            while low <= high && self.less(start, high) {
                high -= 1;
            }
            if low > high {
                return low;
            }
            self.order.swap(low, high);
            low += 1;
            high -= 1;
        }
    }

    /// Repairs a run that is nearly in order; gives up after a few repairs.
    fn nearly_sorted(&mut self, start: usize, end: usize) -> bool {
        let mut at = start + 1;
        for _ in 0..5 {
            while at < end && !self.less(at, at - 1) {
                at += 1;
            }
            if at == end {
                return true;
            }
            if end - start < NINTHER {
                return false;
            }
            self.order.swap(at, at - 1);
            if at - start >= 2 {
                let mut down = at - 1;
                while down >= 1 && self.less(down, down - 1) {
                    self.order.swap(down, down - 1);
                    down -= 1;
                }
            }
            if end - at >= 2 {
                let mut up = at + 1;
                while up < end && self.less(up, up - 1) {
                    self.order.swap(up, up - 1);
                    up += 1;
                }
            }
        }
        false
    }

    fn break_patterns(&mut self, start: usize, end: usize) {
        let length = end - start;
        if length < 8 {
            return;
        }
        let mut random = length as u64;
        let mask = (1_usize << (usize::BITS - length.leading_zeros())) - 1;
        let middle = start + (length / 4) * 2 - 1;
        for i in 0..3 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let mut other = (random & mask as u64) as usize;
            if other >= length {
                other -= length;
            }
            self.order.swap(middle - 1 + i, start + other);
        }
    }

    fn pivot(&mut self, start: usize, end: usize) -> (usize, Hint) {
        let length = end - start;
        let mut swaps = 0;
        let [mut low, mut middle, mut high] = [1, 2, 3].map(|quarter| start + length / 4 * quarter);
        if length >= NINTHER {
            low = self.median(low - 1, low, low + 1, &mut swaps);
            middle = self.median(middle - 1, middle, middle + 1, &mut swaps);
            high = self.median(high - 1, high, high + 1, &mut swaps);
        }
        middle = self.median(low, middle, high, &mut swaps);
        let hint = match swaps {
            0 => Hint::Increasing,
            12 => Hint::Decreasing,
            _ => Hint::Unknown,
        };
        (middle, hint)
    }

    fn median(&mut self, a: usize, b: usize, c: usize, swaps: &mut usize) -> usize {
        let (a, b) = self.in_order(a, b, swaps);
        let (b, _) = self.in_order(b, c, swaps);
        self.in_order(a, b, swaps).1
    }

    fn in_order(&mut self, a: usize, b: usize, swaps: &mut usize) -> (usize, usize) {
        if self.less(b, a) {
            *swaps += 1;
            return (b, a);
        }
        (a, b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_runs_of_every_shape() {
        for length in [0, 1, 2, 12, 13, 49, 50, 51, 200, 1000] {
            let up: Vec<usize> = (0..length).collect();
            let shapes = [
                up.clone(),
                up.iter().rev().copied().collect(),
                up.iter().map(|i| (i * 7919) % 101).collect(),
                vec![3; length],
                up.iter().map(|i| i % 4).collect(),
            ];
            for shape in shapes {
                let order = sorted(length, |a, b| shape[a] < shape[b]);
                assert!(order.windows(2).all(|pair| shape[pair[0]] <= shape[pair[1]]), "{length}: {shape:?}");
                let mut seen = order;
                seen.sort_unstable();
                assert_eq!(seen, up);
            }
        }
    }

    /// What kubectl's `--sort-by` makes of sixteen objects, two of which lack the field.
    #[test]
    fn keeps_the_steps_that_go_takes() {
        assert_eq!(sorted(3, |_, _| true), [2, 1, 0], "elements that are all before each other");
        let names = [1, 10, 11, 12, 13, 14, 2, 3, 4, 5, 6, 7, 8, 9, 100, 101];
        let key = |at: usize| (names[at] < 100).then_some(names[at] % 3);
        let order = sorted(names.len(), |a, b| match (key(a), key(b)) {
            (None, _) => true,
            (_, None) => false,
            (Some(a), Some(b)) => a < b,
        });
        let sorted: Vec<i32> = order.into_iter().map(|at| names[at]).collect();
        assert_eq!(sorted, [100, 101, 3, 12, 9, 6, 4, 1, 7, 13, 10, 2, 5, 14, 8, 11]);
    }

    #[test]
    fn ends_for_what_is_no_order() {
        let mut flip = 0_u32;
        let order = sorted(500, |_, _| {
            flip = flip.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            flip >> 31 == 1
        });
        assert_eq!(order.len(), 500);
    }
}
