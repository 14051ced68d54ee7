run() { timeout $1 python3 -m pytest -c /dev/null --confcutdir=tests/mlsys_core/kernels -p tests.oracles --import-mode=importlib -q -p no:cacheprovider -k "$3" tests/mlsys_core/kernels/test_$2.py > $OUT/test_$2_$4.txt 2>&1; }
T=${1:-60}
run $T matmul "any_shape and dtype0" a & run $T matmul "any_shape and dtype1" b & run $T matmul "any_shape and dtype2" c & run $T matmul "persistent or every or methods" d & run $T matmul "parts or groups" e & run $T matmul "gradients" f & run $T matmul "operator or refused or bytes or nothing" g &
run $T eight_bits "exact or channels or again" a & run $T eight_bits "floats" b & run $T eight_bits "near or operator or refused" c &
run $T grouped_matmul "loop and dtype0" a & run $T grouped_matmul "loop and dtype1" b & run $T grouped_matmul "loop and dtype2" c & run $T grouped_matmul "not loop" d &
run $T int4 "products" a & run $T int4 "not products" b &
wait; for f in $OUT/test_*.txt; do echo "$f: $(tail -n 1 $f | cut -c1-120)"; grep -h "^E   \|FAILED" $f | cut -c1-160 | head -3; done
