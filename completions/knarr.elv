# elvish completion for knarr

set edit:completion:arg-completer[knarr] = {|@words|
    use math
    use str
    var @lines = (try { (external $words[0]) __complete $@words[1..] 2>/dev/null } catch e { put :0 } | from-lines)
    var directive = (num (str:trim-left $lines[-1] ':'))
    var candidates = $lines[..-1]
    var has = {|bit| == (% (math:floor (/ $directive $bit)) 2) 1 }
    if ($has 8) {
        edit:complete-filename $words[-1]
    } elif ($has 16) {
        edit:complete-filename $words[-1]
    } else {
        var kept = ''
        if (and (str:has-prefix $words[-1] -) (str:contains $words[-1] =)) {
            set kept = (str:split &max=2 = $words[-1] | take 1)=
        }
        var suffix = ' '
        if ($has 2) { set suffix = '' }
        for line $candidates {
            var @parts = (str:split &max=2 "\t" $line)
            var shown = $parts[0]
            if (> (count $parts) 1) { set shown = $parts[0]' ('$parts[1]')' }
            edit:complex-candidate $kept$parts[0] &display=$shown &code-suffix=$suffix
        }
        if (and (== (count $candidates) 0) (not ($has 4))) {
            edit:complete-filename $words[-1]
        }
    }
}
