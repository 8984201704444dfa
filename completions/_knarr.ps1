# PowerShell completion for knarr

Register-ArgumentCompleter -Native -CommandName 'knarr' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.StartOffset -lt $cursorPosition } |
            ForEach-Object { $_.ToString() })
    $program = $words[0]
    $asked = @($words | Select-Object -Skip 1)
    if ($wordToComplete -eq '') {
        # Older versions drop an empty argument of a program.
        $asked += if ($PSVersionTable.PSVersion -lt [version]'7.3') { '""' } else { '' }
    }
    $lines = @(& $program __complete @asked 2>$null)
    if ($lines.Count -eq 0) { return }
    $directive = [int]($lines[-1] -replace '^:', '')
    $lines = @($lines | Select-Object -SkipLast 1)
    if ($directive -band 1) { return }
    if ($directive -band 24) { return }
    $kept = ''
    if ($wordToComplete -match '^(-[^=]*=)') { $kept = $Matches[1] }
    $blank = if ($directive -band 2) { '' } else { ' ' }
    foreach ($line in $lines) {
        $name, $description = $line -split "`t", 2
        if (-not $description) { $description = $name }
        [System.Management.Automation.CompletionResult]::new("$kept$name$blank", $name, 'ParameterValue', $description)
    }
    if ($lines.Count -eq 0 -and ($directive -band 4)) { '' }
}
