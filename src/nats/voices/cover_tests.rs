use super::*;
use proptest::prelude::*;

fn voice(home: bool, hears: &[usize]) -> Candidate {
    Candidate { home, hears: hears.iter().copied().collect() }
}

fn everybody(voices: &[Candidate]) -> Clusters {
    voices.iter().fold(Clusters::default(), |all, voice| all.union(&voice.hears))
}

fn chosen(voices: &[Candidate]) -> Vec<usize> {
    choose(voices, &everybody(voices))
}

const HOME: usize = 0;
const A: usize = 1;
const C: usize = 2;

#[test]
fn home_speaks_alone_where_nothing_is_cut() {
    let all = [HOME, A, C];
    assert_eq!(chosen(&[voice(true, &all), voice(false, &all), voice(false, &all)]), [HOME]);
    assert_eq!(chosen(&[voice(false, &all), voice(true, &all)]), [1]);
    assert_eq!(chosen(&[voice(true, &[HOME])]), [HOME]);
    assert_eq!(chosen(&[]), [0; 0]);
}

#[test]
fn across_a_cut_pair_the_third_cluster_speaks_for_both() {
    let voices = [voice(true, &[HOME, A]), voice(false, &[HOME, A, C]), voice(false, &[A, C])];
    assert_eq!(chosen(&voices), [A]);
}

#[test]
fn an_isolated_cluster_is_spoken_to_inside() {
    assert_eq!(chosen(&[voice(true, &[HOME, A]), voice(false, &[HOME, A]), voice(false, &[C])]), [HOME, C]);
    // Home itself is isolated.
    assert_eq!(chosen(&[voice(true, &[HOME]), voice(false, &[A, C]), voice(false, &[A, C])]), [HOME, A]);
}

#[test]
fn across_a_one_way_cut_somebody_speaks_who_is_heard_by_all() {
    // Nothing from home reaches C; C is heard everywhere, and so is A.
    let all = [HOME, A, C];
    assert_eq!(chosen(&[voice(true, &[HOME, A]), voice(false, &all), voice(false, &all)]), [A]);
}

#[test]
fn two_cut_clusters_that_hear_each_other_need_one_voice() {
    assert_eq!(chosen(&[voice(true, &[HOME]), voice(false, &[A, C]), voice(false, &[C])]), [HOME, A]);
}

#[test]
fn without_an_exact_way_everybody_hears_it_and_as_few_as_possible_twice() {
    // A chain: home and C both are heard in A only besides, and nobody speaks in A.
    assert_eq!(chosen(&[voice(true, &[HOME, A]), voice(false, &[A, C])]), [0, 1]);
}

#[test]
fn who_need_not_hear_it_is_spared() {
    let voices = [voice(true, &[HOME, A, C]), voice(false, &[A, C]), voice(false, &[C])];
    assert_eq!(choose(&voices, &[C].into_iter().collect()), [2]);
    assert_eq!(choose(&voices[..2], &[C].into_iter().collect()), [1]);
    assert_eq!(choose(&voices, &Clusters::default()), [0; 0]);
}

#[test]
fn a_hundred_clusters_with_many_cuts_are_decided_without_trying_everything() {
    let clusters = 100;
    let voices: Vec<Candidate> = (0..clusters)
        .map(|own| {
            let cut = |other: usize| other != own && (own * 31 + other * 17).is_multiple_of(5);
            Candidate { home: own == 0, hears: (0..clusters).filter(|other| !cut(*other)).collect() }
        })
        .collect();
    let chosen = chosen(&voices);
    let heard = chosen.iter().fold(Clusters::default(), |all, at| all.union(&voices[*at].hears));
    assert_eq!(heard, everybody(&voices));
}

/// What a set of voices costs; `None` when somebody who could hear it does not.
fn cost(voices: &[Candidate], set: &[usize], wanted: &Clusters) -> Option<(usize, usize, bool, Vec<usize>)> {
    let everybody = everybody(voices);
    let mut doubles = 0;
    for cluster in everybody.iter() {
        let times = set.iter().filter(|at| voices[**at].hears.has(cluster)).count();
        if wanted.has(cluster) && times == 0 {
            return None;
        }
        doubles += times - usize::from(wanted.has(cluster) && times > 0);
    }
    Some((doubles, set.len(), !set.iter().any(|at| voices[*at].home), set.to_vec()))
}

fn brute_force(voices: &[Candidate], wanted: &Clusters) -> Option<(usize, usize, bool, Vec<usize>)> {
    let sets = (0..1_u32 << voices.len()).map(|set| {
        let has = |at: &usize| set & (1 << at) != 0;
        (0..voices.len()).filter(has).collect::<Vec<_>>()
    });
    sets.filter_map(|set| cost(voices, &set, wanted)).min()
}

/// A voice in each of up to five clusters, home the first of them, heard at home and across whichever links are up; and a second one
/// somewhere.
fn voices() -> impl Strategy<Value = Vec<Candidate>> {
    (1..=5_usize).prop_flat_map(|clusters| {
        let up = prop::collection::vec(prop::bool::weighted(0.6), clusters * (clusters + 1));
        (up, 0..clusters, any::<bool>()).prop_map(move |(up, second, has_second)| {
            let voice = |nth: usize, own: usize| {
                let hears = (0..clusters).filter(|to| *to == own || up[nth * clusters + to]);
                Candidate { home: nth == 0, hears: hears.collect() }
            };
            let mut voices: Vec<_> = (0..clusters).map(|own| voice(own, own)).collect();
            if has_second {
                voices.push(voice(clusters, second));
            }
            voices
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn nothing_is_cheaper_than_what_is_chosen(voices in voices(), spared in 0..64_u32) {
        let everybody = everybody(&voices);
        let some = everybody.iter().filter(|cluster| spared & (1 << cluster) == 0).collect();
        for wanted in [everybody, some] {
            let chosen = choose(&voices, &wanted);
            let (doubles, count, far, _) = cost(&voices, &chosen, &wanted).expect("everybody hears it");
            let best = brute_force(&voices, &wanted).unwrap();
            prop_assert_eq!((doubles, count, far), (best.0, best.1, best.2), "{:?}", chosen);
        }
    }

    #[test]
    fn everybody_hears_it_once_when_that_is_possible_and_home_alone_when_it_can(voices in voices()) {
        let wanted = everybody(&voices);
        let chosen = choose(&voices, &wanted);
        let (doubles, ..) = cost(&voices, &chosen, &wanted).expect("everybody hears it");
        let (least, ..) = brute_force(&voices, &wanted).unwrap();
        prop_assert_eq!(doubles, least);
        prop_assert_eq!(chosen == [0], voices[0].hears == wanted);
    }
}
