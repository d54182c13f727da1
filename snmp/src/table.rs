//! Tables of objects: columns, and rows that are told by numbers.

use std::ops::RangeInclusive;

use crate::value::{Found, Oid, Value, VarBind};

/// Objects of one kind, taken out of a `C`. Single objects are a table whose only index is 0.
pub struct Table<C: ?Sized + 'static> {
    /// What comes before the number of the column.
    pub entry: &'static [u32],
    /// In ascending order.
    pub columns: &'static [Column<C>],
    /// The index that follows another one, which need not exist; the first one follows `[]`.
    pub next: fn(&C, &[u32]) -> Option<Oid>,
}

/// The number of a column, and its value in a row: `None` where there is no such row, or no such value in it.
pub type Column<C> = (u32, fn(&C, &[u32]) -> Option<Value>);

impl<C: ?Sized> Table<C> {
    /// The first object after `start`, or at it if it counts itself.
    fn next(&self, context: &C, start: &[u32], inclusive: bool) -> Option<VarBind> {
        let (first, after) = match start.strip_prefix(self.entry) {
            Some([column, after @ ..]) => (*column, after),
            Some([]) => (0, &[][..]),
            None if start < self.entry => (0, &[][..]),
            None => return None,
        };
        if inclusive && let Some(Found::Value(value)) = self.get(context, start) {
            return Some(VarBind::new(start.to_vec(), value));
        }
        let mut columns = self.columns.iter().filter(|(number, _)| *number >= first);
        columns.find_map(|(number, value)| {
            let mut index = if *number == first { after.to_vec() } else { Oid::new() };
            loop {
                index = (self.next)(context, &index)?;
                if let Some(value) = value(context, &index) {
                    let name = [self.entry, &[*number], &index].concat();
                    return Some(VarBind::new(name, value));
                }
            }
        })
    }

    /// `None` when the name is not of this table.
    fn get(&self, context: &C, name: &[u32]) -> Option<Found> {
        let (column, index) = name.strip_prefix(self.entry)?.split_first()?;
        let (_, value) = self.columns.iter().find(|(number, _)| number == column)?;
        Some(value(context, index).map_or(Found::NoSuchInstance, Found::Value))
    }
}

/// The first object of these tables after `start`, or at it if it counts itself. The tables are in the order of their
/// names, and none lies among the columns of another.
pub fn next<C: ?Sized>(
    tables: &[Table<C>],
    context: &C,
    start: &[u32],
    inclusive: bool,
) -> Option<VarBind> {
    tables.iter().find_map(|table| table.next(context, start, inclusive))
}

/// What these tables say about one object.
pub fn get<C: ?Sized>(tables: &[Table<C>], context: &C, name: &[u32]) -> Found {
    tables.iter().find_map(|table| table.get(context, name)).unwrap_or(Found::NoSuchObject)
}

/// For [`Table::next`] of single objects.
pub fn single<C: ?Sized>(_: &C, after: &[u32]) -> Option<Oid> {
    after.is_empty().then(|| vec![0])
}

/// The value of a single object.
pub fn only(index: &[u32], value: Value) -> Option<Value> {
    (index == [0]).then_some(value)
}

/// For [`Table::next`]: the index after `after` where an index has `depth` numbers and `range` says which may follow those
/// before it.
pub fn following(
    after: &[u32],
    depth: usize,
    range: &dyn Fn(&[u32]) -> RangeInclusive<u32>,
) -> Option<Oid> {
    let mut index = Oid::with_capacity(depth);
    descend(&mut index, after, depth, range).then_some(index)
}

fn descend(
    index: &mut Oid,
    after: &[u32],
    depth: usize,
    range: &dyn Fn(&[u32]) -> RangeInclusive<u32>,
) -> bool {
    let numbers = range(index);
    let bound = after.split_first();
    let start = bound.map_or(0, |(first, _)| *first).max(*numbers.start());
    for number in start..=*numbers.end() {
        let below = bound.filter(|(first, _)| **first == number).map(|(_, rest)| rest);
        index.push(number);
        if depth > 1 {
            if descend(index, below.unwrap_or_default(), depth - 1, range) {
                return true;
            }
        } else if below.is_none() {
            return true;
        }
        index.pop();
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Rows of two numbers: how many second ones there are for each first one.
    type Counts = Vec<u32>;

    fn rows(counts: &Counts, after: &[u32]) -> Option<Oid> {
        following(after, 2, &|before| match before {
            [] => 1..=counts.len() as u32,
            [first] => 1..=counts[*first as usize - 1],
            _ => unreachable!(),
        })
    }

    fn row(counts: &Counts, index: &[u32]) -> Option<u32> {
        let [first, second] = *index else { return None };
        let count = *counts.get((first as usize).checked_sub(1)?)?;
        (1..=count).contains(&second).then_some(first * 100 + second)
    }

    fn value(counts: &Counts, index: &[u32]) -> Option<Value> {
        row(counts, index).map(Value::Gauge32)
    }

    /// Has a value in even rows only.
    fn even(counts: &Counts, index: &[u32]) -> Option<Value> {
        row(counts, index).filter(|n| n % 2 == 0).map(Value::Gauge32)
    }

    const TABLES: &[Table<Counts>] = &[
        Table {
            entry: &[1, 5],
            columns: &[(1, |counts, index| only(index, Value::gauge(counts.len())))],
            next: single,
        },
        Table { entry: &[1, 7, 1], columns: &[(2, value), (4, even)], next: rows },
    ];

    fn walk(counts: &Counts) -> Vec<Oid> {
        let mut names: Vec<Oid> = Vec::new();
        while let Some(bind) = next(TABLES, counts, names.last().map_or(&[1], Vec::as_slice), false)
        {
            names.push(bind.name);
        }
        names
    }

    #[test]
    fn a_walk_passes_columns_row_by_row() {
        assert_eq!(
            walk(&vec![2, 0, 1]),
            [
                vec![1, 5, 1, 0],
                vec![1, 7, 1, 2, 1, 1],
                vec![1, 7, 1, 2, 1, 2],
                vec![1, 7, 1, 2, 3, 1],
                vec![1, 7, 1, 4, 1, 2],
            ]
        );
        assert_eq!(walk(&vec![]), [vec![1, 5, 1, 0]]);
    }

    #[test]
    fn what_is_missing_is_told_apart() {
        let counts = vec![1];
        assert_eq!(get(TABLES, &counts, &[1, 7, 1, 2, 1, 1]), Found::Value(Value::Gauge32(101)));
        assert_eq!(get(TABLES, &counts, &[1, 7, 1, 2, 1, 2]), Found::NoSuchInstance);
        assert_eq!(get(TABLES, &counts, &[1, 7, 1, 2]), Found::NoSuchInstance);
        assert_eq!(get(TABLES, &counts, &[1, 7, 1, 4, 1, 1]), Found::NoSuchInstance);
        assert_eq!(get(TABLES, &counts, &[1, 7, 1, 3, 1, 1]), Found::NoSuchObject);
        assert_eq!(get(TABLES, &counts, &[1, 6]), Found::NoSuchObject);
    }

    #[test]
    fn an_included_start_counts_if_it_exists() {
        let at = |start: &[u32]| next(TABLES, &vec![2], start, true).map(|bind| bind.name);
        assert_eq!(at(&[1, 7, 1, 2, 1, 1]), Some(vec![1, 7, 1, 2, 1, 1]));
        assert_eq!(at(&[1, 7, 1, 2, 1]), Some(vec![1, 7, 1, 2, 1, 1]));
        assert_eq!(at(&[1, 7, 1, 2, 1, 3]), Some(vec![1, 7, 1, 4, 1, 2]));
        assert_eq!(at(&[1, 8]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// What follows is what a sorted list of all would have next.
        #[test]
        fn next_is_the_next_in_order(
            counts in prop::collection::vec(0..4u32, 0..4), start in prop::collection::vec(0..9u32, 0..8),
        ) {
            let all = walk(&counts);
            prop_assert!(all.is_sorted());
            let wanted = all.iter().find(|name| ***name > *start).cloned();
            let found = next(TABLES, &counts, &start, false).map(|bind| bind.name);
            prop_assert_eq!(found, wanted);
            let wanted = all.iter().find(|name| ***name >= *start).cloned();
            prop_assert_eq!(next(TABLES, &counts, &start, true).map(|bind| bind.name), wanted);
        }

        #[test]
        fn any_index_is_looked_up_without_panic(
            name in prop::collection::vec(any::<u32>(), 0..9), after in prop::collection::vec(any::<u32>(), 0..4),
        ) {
            let counts = vec![3, 0, 2];
            get(TABLES, &counts, &name);
            next(TABLES, &counts, &name, true);
            if let Some(index) = rows(&counts, &after) {
                prop_assert!(*index > *after);
            }
        }
    }
}
