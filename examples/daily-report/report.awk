# One weekday of the week in sales.csv (weekday,product,pieces,cents), summed by product in the order of the file.
BEGIN { FS = ","; weekday = substr(day, 1, 3) }
FNR == 1 { next }
NF != 4 { print "note: line " FNR " of " FILENAME " has " NF " fields instead of 4, left out" | "cat >&2"; next }
$1 != weekday { others++; next }
!($2 in pieces) { products[++n] = $2 }
{ pieces[$2] += $3; cents[$2] += $3 * $4; total += $3 * $4 }

END {
  printf "%s: %s, a %s\n\n", title, date, day
  for (i = 1; i <= n; i++) printf "  %-12s %4d pieces %9.2f EUR\n", products[i], pieces[products[i]], cents[products[i]] / 100
  if (n == 0) print "  nothing was sold"
  printf "\n  %-12s %11s %9.2f EUR\n", "total", "", total / 100
  print "note: " others + 0 " rows of other weekdays were not counted" | "cat >&2"
}
