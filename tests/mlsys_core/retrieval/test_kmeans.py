"""k-means: its sum of squares never rises, and it goes where others' goes from the same beginning."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans as TheirKmeans

from mlsys_core.retrieval import Kmeans
from mlsys_core.retrieval.kmeans import kmeans_cost, nearest_centroid
from tests.mlsys_core.retrieval.draws import clustered, grid


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 200), d=st.integers(1, 9), k=st.integers(1, 30), seed=st.integers(0, 10**6), tied=st.booleans())
def test_the_objective_never_rises(n, d, k, seed, tied):
    """Also with many equal vectors, where centroids are left without any."""
    x = grid(max(n, k), d, seed, most=1) if tied else clustered(max(n, k), d, seed)
    kmeans = Kmeans(d, k, niter=8, seed=seed)
    last = kmeans.train(x)
    assert len(kmeans.obj) == 9
    assert all(after <= before * (1 + 1e-6) + 1e-6 for before, after in pairwise(kmeans.obj))
    assert last == kmeans.obj[-1]


@pytest.mark.parametrize("seed", range(3))
def test_it_ends_where_scikit_learn_does_from_the_same_centroids(seed, loops, held):
    x = clustered(600, 11, seed)
    first = x[np.random.default_rng(seed).permutation(600)[:13]]
    ours = Kmeans(11, 13, niter=12, seed=seed)
    ours.train(x)
    theirs = TheirKmeans(13, init=first, n_init=1, max_iter=12, tol=0, algorithm="lloyd").fit(x)
    held(
        "retrieval: k-means centroids", "scikit-learn's Lloyd iterations", ours.centroids, theirs.cluster_centers_, 1e-4
    )
    held(
        "retrieval: k-means objective", "scikit-learn's inertia", ours.obj[-1] / len(x), theirs.inertia_ / len(x), 1e-5
    )


def test_the_objective_is_the_sum_of_squared_distances_to_the_nearest(held):
    x = clustered(300, 5, 7)
    kmeans = Kmeans(5, 9, niter=4)
    kmeans.train(x)
    nearest = cdist(x, kmeans.centroids, "sqeuclidean").min(1)
    held("retrieval: k-means objective", "scipy cdist", kmeans.obj[-1] / len(x), nearest.mean(), 1e-6)


def test_no_centroid_is_left_without_vectors_where_there_are_enough():
    """Five of the six begin on the same spot, so that at first all but the lowest of them get nothing."""
    rng = np.random.default_rng(0)
    x = np.concatenate((np.zeros((500, 2)), rng.uniform(5, 9, (12, 2)))).astype(np.float32)
    for seed in range(5):
        kmeans = Kmeans(2, 6, niter=10, seed=seed)
        kmeans.train(x)
        assert len(np.unique(kmeans.assign(x))) == 6


@pytest.mark.parametrize(("k", "d"), [(1, 1), (7, 4), (64, 3), (300, 4), (65, 16), (40, 17)])
def test_each_vector_goes_to_the_nearest_centroid_and_of_equal_ones_to_the_lower(k, d, monkeypatch, loops):
    monkeypatch.setattr("mlsys_core.retrieval.kmeans.BLOCK", 1000)
    x, centroids = grid(431, d, 1), grid(k, d, 2)
    np.testing.assert_array_equal(nearest_centroid(x, centroids), cdist(x, centroids, "sqeuclidean").argmin(1))


@pytest.mark.parametrize("d", [5, 30])
def test_far_from_zero_it_is_as_good_as_at_zero(d, loops):
    x, centroids = (1e4 + clustered(n, d, n) for n in (500, 20))
    x, centroids = x.astype(np.float32), centroids.astype(np.float32)
    expected = cdist(x.astype(np.float64), centroids.astype(np.float64)).argmin(1)
    np.testing.assert_array_equal(nearest_centroid(x, centroids), expected)
    near, far = Kmeans(d, 20, niter=10), Kmeans(d, 20, niter=10)
    near.train(x - np.float32(1e4))
    far.train(x)
    assert far.obj[-1] == pytest.approx(near.obj[-1], rel=1e-3)
    assert all(after <= before * (1 + 1e-6) for before, after in pairwise(far.obj))


def test_with_as_many_centroids_as_vectors_nothing_is_left_over():
    x = clustered(20, 3, 0)
    kmeans = Kmeans(3, 20, niter=2)
    assert kmeans.train(x) == 0
    assert sorted(map(tuple, kmeans.centroids)) == sorted(map(tuple, x))


def test_it_learns_from_a_sample_of_many_and_the_same_one_with_the_same_seed():
    x = clustered(5000, 4, 3)
    small, again, all_of_them = (Kmeans(4, 5, max_points_per_centroid=most) for most in (20, 20, 1000))
    for kmeans in (small, again, all_of_them):
        kmeans.train(x)
    np.testing.assert_array_equal(small.centroids, again.centroids)
    assert small.obj[-1] < all_of_them.obj[-1] / 10, "a sum over 100 vectors, not over 5000"
    assert kmeans_cost(5000, 4, 5, max_points_per_centroid=20) == kmeans_cost(100, 4, 5)
    assert kmeans_cost(60, 4, 5, niter=3) == 2 * 60 * 4 * 5 * 3


@pytest.mark.parametrize("shape", [(4, 3), (5, 2), (15,), (0, 3)])
def test_too_few_vectors_or_others_are_refused(shape):
    with pytest.raises(ValueError, match="5 centroids of 3 numbers cannot be learned"):
        Kmeans(3, 5).train(np.zeros(shape))


@pytest.mark.parametrize("settings", [{"d": 0, "k": 1}, {"d": 1, "k": 0}, {"d": 1, "k": 1, "niter": 0}])
def test_nothing_to_learn_is_refused(settings):
    with pytest.raises(ValueError, match="at least one of each"):
        Kmeans(**settings)
