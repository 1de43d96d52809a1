window.BENCHMARK_DATA = {
  "lastUpdate": 1762165000123,
  "repoUrl": "https://github.com/example/copying",
  "entries": {
    "Go Benchmark": [
      {
        "commit": {
          "author": { "email": "a@example.com", "name": "A", "username": "a" },
          "committer": { "email": "noreply@github.com", "name": "GitHub", "username": "web-flow" },
          "distinct": true,
          "id": "5a2c1f0d4be7c1f4c0a8f7e35b1d6f0f3a9be001",
          "message": "Speed up \"parse\" <b>a lot</b>",
          "timestamp": "2025-11-02T11:12:13+01:00",
          "tree_id": "b6ae0e2c4cb1c85d5b1f3cbf0e1c1e5a3d8d0002",
          "url": "https://github.com/example/copying/commit/5a2c1f0d4be7c1f4c0a8f7e35b1d6f0f3a9be001"
        },
        "date": 1762078530123,
        "tool": "go",
        "benches": [
          { "name": "BenchmarkFib10", "value": 325, "unit": "ns/op", "extra": "3653412 times\n8 procs" },
          { "name": "BenchmarkFib10 - B/op", "value": 16, "unit": "B/op", "extra": "3653412 times\n8 procs" }
        ]
      },
      {
        "commit": {
          "author": { "email": "a@example.com", "name": "A", "username": "a" },
          "committer": { "email": "noreply@github.com", "name": "GitHub", "username": "web-flow" },
          "id": "0c9d7a55e2d3b1a4f6e8c7b9a0d1e2f3a4b5c6d7",
          "message": "Bump a dependency",
          "timestamp": "2025-11-03T09:00:00Z",
          "url": "https://github.com/example/copying/commit/0c9d7a55e2d3b1a4f6e8c7b9a0d1e2f3a4b5c6d7"
        },
        "date": 1762161000000,
        "tool": "go",
        "benches": [
          { "name": "BenchmarkFib10", "value": 327.5, "unit": "ns/op", "extra": "3652001 times\n8 procs" },
          { "name": "BenchmarkFib10 - B/op", "value": 16, "unit": "B/op", "extra": "3652001 times\n8 procs" }
        ]
      }
    ],
    "Python Benchmark with pytest-benchmark": [
      {
        "commit": {
          "author": { "email": "a@example.com", "name": "A", "username": "a" },
          "committer": { "email": "noreply@github.com", "name": "GitHub", "username": "web-flow" },
          "id": "0c9d7a55e2d3b1a4f6e8c7b9a0d1e2f3a4b5c6d7",
          "message": "Bump a dependency",
          "timestamp": "2025-11-03T09:00:00Z",
          "url": "https://github.com/example/copying/commit/0c9d7a55e2d3b1a4f6e8c7b9a0d1e2f3a4b5c6d7"
        },
        "date": 1762165000000,
        "tool": "pytest",
        "benches": [
          {
            "name": "bench.py::test_fib_10",
            "value": 41735.72,
            "unit": "iter/sec",
            "range": "stddev: 0.000006175090189861328",
            "extra": "mean: 23.96 usec\nrounds: 1"
          }
        ]
      }
    ]
  }
}
