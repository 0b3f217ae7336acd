package main

import (
	"math/big"
	"strconv"
	"strings"
)

// wheel holds the gaps between numbers that 2, 3 and 5 do not divide, from 7 on.
var wheel = [...]uint64{4, 2, 4, 2, 4, 6, 2, 6}

// largestTried bounds one job to a fraction of a second; a rest without smaller factors is left whole.
const largestTried = 20_000_000

// factorise splits n into factors in rising order; the last may be composite when all its factors are large.
func factorise(n uint64) []uint64 {
	var factors []uint64
	split := func(p uint64) {
		for n%p == 0 {
			factors = append(factors, p)
			n /= p
		}
	}
	for _, p := range []uint64{2, 3, 5} {
		split(p)
	}
	for p, i := uint64(7), 0; p*p <= n && p < largestTried; p, i = p+wheel[i], (i+1)%len(wheel) {
		split(p)
	}
	if n > 1 {
		factors = append(factors, n)
	}
	return factors
}

// product writes factors as a product and marks a composite rest.
func product(factors []uint64) string {
	words := make([]string, len(factors))
	for i, factor := range factors {
		words[i] = strconv.FormatUint(factor, 10)
		if !new(big.Int).SetUint64(factor).ProbablyPrime(0) {
			words[i] += " (composite)"
		}
	}
	return strings.Join(words, " × ")
}
