module github.com/espalier-nic/espalier

go 1.26
