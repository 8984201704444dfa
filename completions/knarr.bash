# bash completion for knarr

__knarr_complete() {
    local line=${COMP_LINE:0:COMP_POINT} words current output directive word
    read -r -a words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    current=${words[${#words[@]} - 1]}
    COMPREPLY=()
    output=$("${words[0]}" __completeNoDesc "${words[@]:1}" 2>/dev/null) || return
    directive=${output##*:}
    output=${output%:*}
    [[ $directive =~ ^[0-9]+$ ]] || return
    ((directive & 1)) && return
    # What stands before the last = or : is not part of the word that bash replaces.
    local kept=
    if [[ $current == *[=:]* && $COMP_WORDBREAKS == *[=:]* ]]; then
        kept=${current%"${current##*[=:]}"}
    fi
    if ((directive & 8)); then
        compopt -o filenames
        while IFS= read -r word; do
            if [[ -d $word || $'\n'$output == *$'\n'"${word##*.}"$'\n'* ]]; then
                COMPREPLY+=("$word")
            fi
        done < <(compgen -f -- "${current#"$kept"}")
        return
    fi
    if ((directive & 16)); then
        compopt -o filenames
        while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -d -- "${current#"$kept"}")
        return
    fi
    ((directive & 2)) && compopt -o nospace
    ((directive & 4)) && compopt +o default
    while IFS= read -r word; do
        [[ -n $word && $word == "$current"* || -n $kept && -n $word ]] && COMPREPLY+=("${word#"$kept"}")
    done <<<"$output"
}

complete -o default -F __knarr_complete knarr
