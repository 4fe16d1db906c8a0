# How a file of tests/cluster is run here: each outcome is a line of its own, in the form that the
# rest of the suite has; a test that may fail does not end its file, and some are not run.

set ::redis_base_port $::env(HOLDFAST_PORT)
set ::may_fail [split $::env(HOLDFAST_MAY_FAIL) "\n"]
set ::left_out [split $::env(HOLDFAST_LEFT_OUT) "\n"]

proc test {descr code} {
    # Names come more than once in a file.
    set name [string map {"\n" " "} $descr]
    if {[incr ::times($name)] > 1} {append name " #$::times($name)"}
    if {$name in $::left_out} return
    puts "running: $name"
    flush stdout
    if {[catch {uplevel 1 $code} error]} {
        incr ::failed
        puts "\n\[err\]: $name in tests/cluster"
        puts [string map {"\n" " "} $error]
        flush stdout
        if {$name in $::may_fail} return
        return -code continue
    }
    puts "\n\[ok\]: $name (done)"
    flush stdout
}

# Every file begins by setting the first of these back, whether it uses them or not. They are for
# tests of Redis alone, and not in its documentation. And Redis loads a small snapshot of its primary
# within one turn, so that nobody sees it loading; here somebody may.
proc R {n args} {
    set words [string tolower [lrange $args 0 2]]
    if {$words in {
        "config set loading-process-events-interval-bytes"
        "config set key-load-delay"
        "debug drop-cluster-packet-filter -1"
    }} {
        return OK
    }
    for {set tries 0} {$tries < 500} {incr tries} {
        set failed [catch {[Rn $n] {*}$args} result]
        if {!$failed} {return $result}
        if {![string match "LOADING*" $result]} break
        after 10
    }
    error $result
}
