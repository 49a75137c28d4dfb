autocmd BufNewFile,BufRead *.act setfiletype act
