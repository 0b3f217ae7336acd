module thumbnail-gen

go 1.19
